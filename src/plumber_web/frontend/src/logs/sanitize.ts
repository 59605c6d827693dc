/** Output of commands as text that can neither act nor deceive. */

/**
 * Escape sequences. One never reaches over a newline, and without its end it is none: an unfinished one must not hide
 * what follows it. Only colours (group 1) and "erase in line" (group 2) mean something here.
 */
const SEQUENCE = new RegExp(
  [
    '\\x1b\\[([0-9;:]*)m',
    '\\x1b\\[([0-2]?)K',
    '\\x1b\\[[0-?]*[ -/]*[@-~]',
    '\\x1b[\\]PX^_][^\\x07\\x1b\\n]*(?:\\x07|\\x1b\\\\)',
    '\\x1b[ -/]+[0-~]',
    '\\x1b[0-OQ-WYZ\\\\`-~]',
  ].join('|'),
  'g',
)
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)$/
/** Characters of an unfinished sequence that wait for their rest. */
export const MOST_HELD = 4096

const ACTIVE = /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/
const ACTIVE_ALL = new RegExp(ACTIVE.source, 'g')
const SURROGATE = /\p{Surrogate}/u
const SURROGATE_ALL = /\p{Surrogate}/gu

/** Return whether text is shown as it is. */
export function isInert(text: string): boolean {
  return !ACTIVE.test(text) && !SURROGATE.test(text)
}

/** Show what would act as visible symbols: control characters, bidirectional and invisible ones. */
export function reveal(text: string): string {
  if (isInert(text)) return text
  return text.replace(ACTIVE_ALL, symbol).replace(SURROGATE_ALL, '\ufffd')
}

function symbol(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  if (code === 0x7f) return '\u2421'
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`
}

export type Token =
  | { kind: 'text'; text: string }
  | { kind: 'sgr'; parameters: string }
  | { kind: 'erase'; mode: string }

/** Cut text into plain stretches (control characters still in them) and the sequences that mean something. */
export function* tokens(text: string): Generator<Token> {
  let at = 0
  for (const match of text.includes('\x1b') ? text.matchAll(SEQUENCE) : []) {
    if (match.index > at) yield { kind: 'text', text: text.slice(at, match.index) }
    if (match[1] !== undefined) yield { kind: 'sgr', parameters: match[1] }
    else if (match[2] !== undefined) yield { kind: 'erase', mode: match[2] }
    at = match.index + match[0].length
  }
  if (at < text.length) yield { kind: 'text', text: text.slice(at) }
}

/** Return where an unfinished sequence begins at the end of text, or the text's length. */
export function unfinishedAt(text: string): number {
  if (!text.includes('\x1b')) return text.length
  const from = Math.max(0, text.length - MOST_HELD)
  const found = UNFINISHED.exec(text.slice(from))
  return found ? from + found.index : text.length
}

/** Return text without sequences and with everything active made visible; a tab is spaces to the next eighth column. */
export function sanitize(text: string): string {
  let plain = ''
  for (const token of tokens(text)) if (token.kind === 'text') plain += token.text
  return reveal(expandTabs(plain, 0))
}

/** Return text with tabs as spaces, when its first character stands in `column`. */
export function expandTabs(text: string, column: number): string {
  if (!text.includes('\t')) return text
  let out = ''
  for (const character of text) out += character === '\t' ? ' '.repeat(8 - ((column + out.length) % 8)) : character
  return out
}
