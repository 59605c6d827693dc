/** Colours and styles of terminals (SGR) as CSS classes: never inline styles, so that a strict CSP holds. */

export interface Style {
  /** A class's ending such as `red`, `bright-blue`, `p123` (6x6x6 cube) or `g5` (greys); empty is the default. */
  fg: string
  bg: string
  bold: boolean
  dim: boolean
  italic: boolean
  underline: boolean
  strike: boolean
  inverse: boolean
  hidden: boolean
}

/** A stretch of a line that begins at `at` and looks like `style`. */
export interface Run {
  at: number
  style: Style
}
export interface Span {
  text: string
  classes: string
}

export const PLAIN: Style = Object.freeze({
  fg: '', bg: '', bold: false, dim: false, italic: false, underline: false, strike: false, inverse: false, hidden: false,
})

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white']
const SWITCHES: Record<number, Partial<Style>> = {
  0: PLAIN, 1: { bold: true }, 2: { dim: true }, 3: { italic: true }, 4: { underline: true }, 7: { inverse: true },
  8: { hidden: true }, 9: { strike: true }, 21: { underline: true }, 22: { bold: false, dim: false },
  23: { italic: false }, 24: { underline: false }, 27: { inverse: false }, 28: { hidden: false },
  29: { strike: false }, 39: { fg: '' }, 49: { bg: '' },
}

/** Return a style after the parameters of one SGR sequence (the text between `ESC [` and `m`). */
export function applySgr(style: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((code) => (code === '' ? 0 : Number(code)))
  let next = style
  for (let at = 0; at < codes.length; ) {
    const code = codes[at]!
    if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(at + 1, at + 5))
      if (colour !== null) next = { ...next, [code === 38 ? 'fg' : 'bg']: colour }
      at += 1 + used
    } else {
      next = { ...next, ...simple(code) }
      at++
    }
  }
  return sameStyle(next, PLAIN) ? PLAIN : next
}

function simple(code: number): Partial<Style> {
  if (code >= 30 && code <= 37) return { fg: NAMES[code - 30] }
  if (code >= 40 && code <= 47) return { bg: NAMES[code - 40] }
  if (code >= 90 && code <= 97) return { fg: `bright-${NAMES[code - 90]}` }
  if (code >= 100 && code <= 107) return { bg: `bright-${NAMES[code - 100]}` }
  return SWITCHES[code] ?? {}
}

/** Return the colour of `5;n` or `2;r;g;b`, and how many codes it takes. */
function extended(codes: number[]): [string | null, number] {
  const [kind, a = 0, b = 0, c = 0] = codes
  if (kind === 5) return [indexed(a), 2]
  if (kind === 2) return [quantised(a, b, c), 4]
  return [null, codes.length]
}

function indexed(n: number): string | null {
  if (!(n >= 0 && n <= 255)) return null
  if (n < 8) return NAMES[n]!
  if (n < 16) return `bright-${NAMES[n - 8]}`
  return n < 232 ? `p${n}` : `g${n - 232}`
}

const LEVELS = [0, 95, 135, 175, 215, 255]

/** Return the nearest colour of the 256 for a true colour. */
function quantised(r: number, g: number, b: number): string | null {
  if (![r, g, b].every((part) => part >= 0 && part <= 255)) return null
  const grey = Math.min(23, Math.max(0, Math.round((r + g + b) / 3 - 8) / 10)) | 0
  const cube = [r, g, b].map(nearestLevel)
  const cubeError = distance([r, g, b], cube.map((level) => LEVELS[level]!))
  if (distance([r, g, b], [8 + grey * 10, 8 + grey * 10, 8 + grey * 10]) < cubeError) return `g${grey}`
  return `p${16 + 36 * cube[0]! + 6 * cube[1]! + cube[2]!}`
}

function nearestLevel(part: number): number {
  let best = 0
  LEVELS.forEach((level, at) => {
    if (Math.abs(level - part) < Math.abs(LEVELS[best]! - part)) best = at
  })
  return best
}

function distance(left: number[], right: number[]): number {
  return left.reduce((sum, part, at) => sum + (part - right[at]!) ** 2, 0)
}

/** Return whether two styles look the same. */
export function sameStyle(left: Style, right: Style): boolean {
  if (left === right) return true
  return (Object.keys(PLAIN) as (keyof Style)[]).every((key) => left[key] === right[key])
}

const FLAGS = ['bold', 'dim', 'italic', 'underline', 'strike', 'inverse', 'hidden'] as const

/** Return the classes of a style: `ansi-bold ansi-fg-red ansi-bg-p123`; empty for plain text. */
export function classesOf(style: Style): string {
  const classes: string[] = FLAGS.filter((flag) => style[flag]).map((flag) => `ansi-${flag}`)
  // Inverse swaps the colours here: CSS cannot do it without knowing them.
  const [fg, bg] = style.inverse ? [style.fg && style.bg, style.fg] : [style.fg, style.bg]
  if (fg) classes.push(`ansi-fg-${fg}`)
  if (bg) classes.push(`ansi-bg-${bg}`)
  return classes.join(' ')
}

/** Cut a line's text into stretches of one look each. */
export function spans(text: string, runs: readonly Run[]): Span[] {
  if (!runs.length) return text ? [{ text, classes: '' }] : []
  const first = runs[0]!.at > 0 ? [{ text: text.slice(0, runs[0]!.at), classes: '' }] : []
  const rest = runs.map((run, at) => ({
    text: text.slice(run.at, runs[at + 1]?.at ?? text.length),
    classes: classesOf(run.style),
  }))
  return [...first, ...rest].filter((span) => span.text)
}
