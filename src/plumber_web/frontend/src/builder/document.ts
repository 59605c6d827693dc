/**
 * A task's text, edited as a YAML document: comments, order and quoting outlive every edit.
 *
 * Everything here is pure: an edit takes a text and returns the next one. What cannot be carried out returns null.
 */
import { Document, isAlias, isMap, isScalar, isSeq, parseDocument, Scalar, type Node, type ToStringOptions, type YAMLMap, type YAMLSeq } from 'yaml'
import { listOf, pathOf, type Path, type Place } from './places'
import type { StepShape, TaskShape } from '@/tasks/api'

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

/** Say whether a value is absent, or a list of mappings, those of blocks included. */
function isListOfSteps(list: unknown): boolean {
  if (list === undefined || list === null) return true
  return isSeq(list) && list.items.every((item) => isMap(item) && isListOfSteps(item.get('steps')))
}

/** Return the task that a text holds, or null while it holds none that could be shown as steps. */
export function readTask(source: string): TaskShape | null {
  const document = parseDocument(source, { logLevel: 'silent' })
  if (document.errors.length > 0 || !isMap(document.contents)) return null
  if (!['steps', 'always'].every((key) => isListOfSteps(document.get(key)))) return null
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

type Steps = YAMLSeq<Node>

/** Return the list at a place, which is made where there is none; a comment above its first step belongs to that step. */
function listIn(document: Document, list: Place): Steps {
  const path = pathOf(list)
  const found = document.getIn(path)
  if (isSeq(found)) return ownComment(found as Steps)
  const made = document.createNode([]) as unknown as Steps
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1))
  if (!isMap(parent)) throw new TypeError('not a mapping')
  const key = String(path.at(-1))
  parent.items = parent.items.filter((pair) => keyOf(pair.key) !== key)
  place(document, parent, key, made, path.length === 1 ? TASK_ORDER : STEP_ORDER)
  return made
}

function ownComment(steps: Steps): Steps {
  const first = steps.items[0]
  if (first && steps.commentBefore) {
    first.commentBefore = [steps.commentBefore, first.commentBefore].filter(Boolean).join('\n')
    steps.commentBefore = undefined
  }
  return steps
}

/** Change lists of steps; blank lines between steps stay sensible. */
function editSteps(source: string, places: readonly Place[], change: (lists: Steps[], document: Document) => void): string | null {
  return edited(source, (document) => {
    const lists = places.map((list) => listIn(document, list))
    const spaced = lists.map((steps) => steps.items.slice(1).some((item) => item.spaceBefore))
    for (const steps of lists) if (steps.items.length === 0) steps.flow = false
    change(lists, document)
    lists.forEach((steps, n) => steps.items.forEach((item, at) => (item.spaceBefore = at > 0 && (spaced[n] || item.spaceBefore === true))))
    places.forEach((list, n) => list === 'always' && lists[n]!.items.length === 0 && document.delete('always'))
  })
}

export function insertStep(source: string, list: Place, at: number, step: StepShape): string | null {
  return editSteps(source, [list], ([steps], document) => steps!.items.splice(at, 0, document.createNode(step) as Node))
}

export function removeStep(source: string, from: Place): string | null {
  const { list, at } = listOf(from)
  return editSteps(source, [list], ([steps]) => steps!.items.splice(at, 1))
}

/** Take a step from its place and put it as number `to` of a list, its own or another one; never into itself. */
export function moveStep(source: string, from: Place, list: Place, to: number): string | null {
  const origin = listOf(from)
  if (list.startsWith(`${from}.`)) return null
  return editSteps(source, [origin.list, list], ([left, entered]) => entered!.items.splice(to, 0, ...left!.items.splice(origin.at, 1)))
}

/** Put a copy behind a step; `rename` says what each step in it is called then. */
export function duplicateStep(source: string, from: Place, rename: (name: string | undefined) => string): string | null {
  const { list, at } = listOf(from)
  return editSteps(source, [list], ([steps], document) => {
    const copy = steps!.items[at]!.clone() as YAMLMap
    copy.anchor = undefined
    renameSteps(document, copy, rename)
    steps!.items.splice(at + 1, 0, copy)
  })
}

function renameSteps(document: Document, step: YAMLMap, rename: (name: string | undefined) => string): void {
  const name = step.get('name')
  step.items = step.items.filter((pair) => keyOf(pair.key) !== 'name')
  place(document, step, 'name', rename(name === undefined ? undefined : String(name)), STEP_ORDER)
  const inside = step.get('steps')
  if (isSeq(inside)) for (const one of inside.items) if (isMap(one)) renameSteps(document, one, rename)
}
