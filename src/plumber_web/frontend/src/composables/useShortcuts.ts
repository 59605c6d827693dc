/** Keys of a page: one letter, or two in a row (`g h`). They rest while somebody types. */
import { onBeforeUnmount, onMounted, shallowReactive } from 'vue'

export interface Shortcut {
  keys: string
  /** Key of the sentence that the map shows. */
  label: string
  /** Without it the part of the page that has the focus answers the key itself, and the map tells of it. */
  run?: () => void
  /** Works on every page. */
  everywhere?: boolean
}

export const shortcuts = shallowReactive(new Set<Shortcut>())
const SEQUENCE = 900

/** Register keys for as long as the component lives. */
export function useShortcuts(list: Shortcut[]): void {
  onMounted(() => list.forEach((shortcut) => shortcuts.add(shortcut)))
  onBeforeUnmount(() => list.forEach((shortcut) => shortcuts.delete(shortcut)))
}

let before = ''
let beforeAt = 0

/** Carry out what a key press means; the newest registration wins. */
export function press(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event)) return
  const fresh = event.timeStamp - beforeAt < SEQUENCE ? before : ''
  const list = [...shortcuts].filter(({ run }) => run).reverse()
  const found = list.find((one) => one.keys === `${fresh} ${event.key}`) ?? list.find((one) => one.keys === event.key)
  before = event.key
  beforeAt = event.timeStamp
  if (!found) return
  event.preventDefault()
  found.run?.()
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0] as HTMLElement
  return target.isContentEditable === true || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) || document.querySelector('[role=dialog]') !== null
}
