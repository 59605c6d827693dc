/**
 * The looks of the classes of `ansi.ts`, readable in both themes: text keeps 4.5:1 on every surface, and on a coloured
 * ground its ink is black or white. Made here, not written out: 256 colours twice would be 30 KB of CSS.
 */

export type Rgb = [number, number, number]

/** Of the page's surfaces the ones that are hardest to read on. */
export const GROUNDS: { light: Rgb; dark: Rgb } = { light: [233, 236, 239], dark: [34, 42, 50] }
const LEAST = 4.5
const BLACK: Rgb = [0, 0, 0]
const WHITE: Rgb = [255, 255, 255]

const NAMED: Record<string, Rgb> = {
  black: [60, 64, 68], red: [205, 49, 49], green: [13, 140, 90], yellow: [180, 137, 0], blue: [36, 114, 200],
  magenta: [188, 63, 188], cyan: [17, 140, 170], white: [200, 204, 208], 'bright-black': [110, 116, 122],
  'bright-red': [241, 76, 76], 'bright-green': [35, 190, 120], 'bright-yellow': [225, 190, 40],
  'bright-blue': [59, 142, 234], 'bright-magenta': [214, 112, 214], 'bright-cyan': [41, 184, 219],
  'bright-white': [240, 242, 244],
}

/** Return every colour by the ending of its class. */
export function palette(): Map<string, Rgb> {
  const colours = new Map(Object.entries(NAMED))
  const level = (at: number) => (at ? 55 + 40 * at : 0)
  for (let at = 0; at < 216; at++) {
    colours.set(`p${16 + at}`, [level(Math.floor(at / 36)), level(Math.floor(at / 6) % 6), level(at % 6)])
  }
  for (let at = 0; at < 24; at++) colours.set(`g${at}`, [8 + 10 * at, 8 + 10 * at, 8 + 10 * at])
  return colours
}

/** Return the nearest mixture of a colour with black or white that can be read on `ground`. */
export function readable(colour: Rgb, ground: Rgb): Rgb {
  const ink = luminance(ground) > 0.4 ? BLACK : WHITE
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = colour.map((part, at) => Math.round(part + (ink[at]! - part) * share)) as Rgb
    if (contrast(mixed, ground) >= LEAST) return mixed
  }
  return ink
}

/** Return the ratio of WCAG between two colours, 1 to 21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((left, right) => left - right) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as Rgb
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

const SHAPES = `
.ansi-bold { font-weight: 700 }
.ansi-italic { font-style: italic }
.ansi-underline { text-decoration: underline }
.ansi-strike { text-decoration: line-through }
.ansi-underline.ansi-strike { text-decoration: underline line-through }
.ansi-dim { color: var(--soft) }
.ansi-inverse { background-color: var(--ink); color: var(--page) }
`

/** Return the style sheet. Text that is told to be hidden is shown: output must not hide from its reader. */
export function rules(): string {
  const texts: string[] = []
  const grounds: string[] = []
  for (const [name, colour] of palette()) {
    const [light, dark] = [readable(colour, GROUNDS.light), readable(colour, GROUNDS.dark)]
    texts.push(`.ansi-fg-${name}{color:rgb(${light})}`, `[data-theme=dark] .ansi-fg-${name}{color:rgb(${dark})}`)
    const ink = contrast(colour, BLACK) >= contrast(colour, WHITE) ? BLACK : WHITE
    // As specific as the dark theme's texts, and after them: on a coloured ground its own ink always wins.
    grounds.push(`.ansi-bg-${name}.ansi-bg-${name}{background-color:rgb(${colour});color:rgb(${ink})}`)
  }
  return [SHAPES, ...texts, ...grounds].join('\n')
}

let sheet: CSSStyleSheet | undefined

/** Give the page the looks, once; a constructed sheet is no inline style for a content security policy. */
export function installPalette(page: Document = document): void {
  if (sheet) return
  sheet = new CSSStyleSheet()
  sheet.replaceSync(rules())
  page.adoptedStyleSheets = [...page.adoptedStyleSheets, sheet]
}
