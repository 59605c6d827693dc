/**
 * A task's text, edited as a YAML document: comments, order and quoting outlive every edit.
 *
 * Everything here is pure: an edit takes a text and returns the next one. What cannot be carried out returns null.
 */
import { Document, isAlias, isMap, isScalar, isSeq, parseDocument, Scalar, type Node, type ToStringOptions, type YAMLMap, type YAMLSeq } from 'yaml'
import type { StepShape, TaskShape } from '@/tasks/api'

export type Path = readonly (string | number)[]

const TASK_ORDER = ['name', 'description', 'params', 'env', 'on', 'path', 'timeout', 'queue_timeout', 'offline', 'concurrency', 'locks', 'steps', 'always', 'labels']
const STEP_ORDER = ['name', 'on', 'needs', 'when', 'uses', 'with', 'path', 'env', 'secrets', 'run', 'shell', 'stdin', 'timeout', 'idle_timeout', 'grace', 'retry', 'idempotent', 'on_failure', 'rollout', 'steps']

/** Return how the author lays out, so that untouched lines stay as they are. */
function layout(source: string): ToStringOptions {
  return {
    lineWidth: 0,
    indentSeq: !/^( *)[\w-]+:[^\S\n]*\n\1- /m.test(source),
    flowCollectionPadding: !/[\s,:[]\{[^\s{}]/.test(source),
  }
}

/** Return the task that a text holds, or null while it holds none that could be shown as steps. */
export function readTask(source: string): TaskShape | null {
  const document = parseDocument(source, { logLevel: 'silent' })
  if (document.errors.length > 0 || !isMap(document.contents)) return null
  const steps = document.get('steps')
  if (steps !== undefined && steps !== null && !(isSeq(steps) && steps.items.every((item) => isMap(item)))) return null
  try {
    return document.toJS({ maxAliasCount: 100 }) as TaskShape
  } catch {
    return null
  }
}

function edited(source: string, change: (document: Document) => void): string | null {
  const document = parseDocument(source, { logLevel: 'silent' })
  if (document.errors.length > 0 || !isMap(document.contents)) return null
  try {
    change(document as unknown as Document)
    return document.toString(layout(source))
  } catch {
    // An alias lost the anchor that it names.
    return null
  }
}

/** Write `value` over a node and return what stands there now; equal parts keep their nodes with their comments. */
function written(document: Document, node: unknown, value: unknown): unknown {
  if (isScalar(node) && (value === null || typeof value !== 'object')) {
    if (node.value === value) return node
    if (typeof value !== typeof node.value) node.type = undefined
    const block = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED
    if (typeof value === 'string' && block !== value.includes('\n')) node.type = undefined
    node.value = value
    delete (node as { source?: string }).source
    return node
  }
  if (isMap(node) && value !== null && typeof value === 'object' && !Array.isArray(value)) return writtenMap(document, node, value)
  if (isSeq(node) && Array.isArray(value)) {
    node.items = value.map((item, at) => written(document, node.items[at], item))
    return node
  }
  return document.createNode(value)
}

function writtenMap(document: Document, node: YAMLMap, value: object): YAMLMap {
  const wanted = new Map(Object.entries(value).filter(([, one]) => one !== undefined))
  node.items = node.items.filter((pair) => wanted.has(keyOf(pair.key)))
  for (const pair of node.items) {
    const key = keyOf(pair.key)
    pair.value = written(document, pair.value, wanted.get(key))
    wanted.delete(key)
  }
  for (const [key, one] of wanted) node.add(document.createPair(key, one))
  return node
}

const keyOf = (key: unknown): string => String(isScalar(key) ? key.value : key)

/** Add a key where people look for it, not at the end behind all steps. */
function place(document: Document, map: YAMLMap, key: string, value: unknown, order: readonly string[]): void {
  const rank = order.indexOf(key)
  const after = rank < 0 ? -1 : map.items.findIndex((pair) => order.indexOf(keyOf(pair.key)) > rank)
  const pair = document.createPair(key, value) as YAMLMap['items'][number]
  map.items.splice(after < 0 ? map.items.length : after, 0, pair)
}

/** Set one key of the task (`['on']`) or of a step (`['steps', 2, 'on']`); `undefined` takes it away. */
export function setValue(source: string, path: Path, value: unknown): string | null {
  return edited(source, (document) => {
    const key = String(path.at(-1))
    const parent = document.getIn(path.slice(0, -1), true) ?? document.contents
    if (!isMap(parent)) throw new TypeError('not a mapping')
    const pair = parent.items.find((one) => keyOf(one.key) === key)
    if (value === undefined) parent.items = parent.items.filter((one) => one !== pair)
    else if (!pair) place(document, parent, key, value, path.length === 1 ? TASK_ORDER : STEP_ORDER)
    else if (isAlias(pair.value)) pair.value = document.createNode(value)
    else pair.value = written(document, pair.value, value)
  })
}

/** Change the list of steps; blank lines between them and a comment above the first stay sensible. */
function editSteps(source: string, change: (steps: YAMLSeq<Node>, document: Document) => void): string | null {
  return edited(source, (document) => {
    if (!isSeq(document.get('steps'))) document.set('steps', document.createNode([]))
    const steps = document.get('steps') as YAMLSeq<Node>
    const first = steps.items[0]
    if (first && steps.commentBefore) {
      first.commentBefore = [steps.commentBefore, first.commentBefore].filter(Boolean).join('\n')
      steps.commentBefore = undefined
    }
    const spaced = steps.items.slice(1).some((item) => item.spaceBefore)
    if (steps.items.length === 0) steps.flow = false
    change(steps, document)
    steps.items.forEach((item, at) => (item.spaceBefore = at > 0 && (spaced || item.spaceBefore === true)))
  })
}

export function insertStep(source: string, at: number, step: StepShape): string | null {
  return editSteps(source, (steps, document) => steps.items.splice(at, 0, document.createNode(step) as Node))
}

export function removeStep(source: string, at: number): string | null {
  return editSteps(source, (steps) => steps.items.splice(at, 1))
}

export function moveStep(source: string, from: number, to: number): string | null {
  return editSteps(source, (steps) => steps.items.splice(to, 0, ...steps.items.splice(from, 1)))
}

/** Put a copy with another name behind a step. */
export function duplicateStep(source: string, at: number, name: string): string | null {
  return editSteps(source, (steps, document) => {
    const copy = steps.items[at]!.clone() as YAMLMap
    copy.anchor = undefined
    copy.items = copy.items.filter((pair) => keyOf(pair.key) !== 'name')
    place(document, copy, 'name', name, STEP_ORDER)
    steps.items.splice(at + 1, 0, copy)
  })
}
