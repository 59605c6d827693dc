/** One line as a terminal shows it: carriage returns and backspaces move the cursor, later text overwrites. */
import { PLAIN, applySgr, sameStyle, type Run, type Style } from './ansi'
import { expandTabs, reveal, tokens } from './sanitize'

const MOVES = /[\r\x08]/
const MOVES_SPLIT = /([\r\x08])/

export interface ScreenState {
  text: string
  runs: Run[]
  column: number
  style: Style
}

export class ScreenLine {
  text = ''
  runs: Run[] = []
  private column = 0

  /** Text that follows looks like `style`; it goes on from line to line. */
  constructor(public style: Style = PLAIN) {}

  /** Write decoded output without newlines. */
  write(output: string): void {
    for (const token of tokens(output)) {
      if (token.kind === 'sgr') this.style = applySgr(this.style, token.parameters)
      else if (token.kind === 'erase') this.erase(token.mode)
      else this.print(token.text)
    }
  }

  /** Return the line's text and looks, and begin the next line. */
  take(): { text: string; runs: Run[] } {
    const line = { text: reveal(this.text), runs: this.runs }
    this.text = ''
    this.runs = []
    this.column = 0
    return line
  }

  get isEmpty(): boolean {
    return this.text === '' && this.column === 0
  }

  get state(): ScreenState {
    return { text: this.text, runs: this.runs, column: this.column, style: this.style }
  }

  set state(state: ScreenState) {
    Object.assign(this, { ...state, runs: [...state.runs] })
  }

  private print(text: string): void {
    if (!MOVES.test(text)) return this.put(text)
    for (const part of text.split(MOVES_SPLIT)) {
      if (part === '\r') this.column = 0
      else if (part === '\b') this.column = Math.max(0, this.column - 1)
      else if (part) this.put(part)
    }
  }

  private put(raw: string): void {
    const text = reveal(expandTabs(raw, this.column))
    const stop = this.column + text.length
    this.paint(this.column, stop)
    this.text = this.text.slice(0, this.column) + text + this.text.slice(stop)
    this.column = stop
  }

  private erase(mode: string): void {
    if (mode === '1') this.text = ' '.repeat(Math.min(this.column, this.text.length)) + this.text.slice(this.column)
    else this.text = mode === '2' ? ' '.repeat(this.column) : this.text.slice(0, this.column).padEnd(this.column)
    this.runs = this.runs.filter((run) => run.at < this.text.length)
  }

  /** Give the columns from `start` to `stop` the current style, those after them the one they had. */
  private paint(start: number, stop: number): void {
    if (start >= this.text.length) return this.paintEnd(start)
    const after = this.styleAt(stop)
    const before = this.runs.filter((run) => run.at < start)
    const behind = this.runs.filter((run) => run.at > stop)
    this.runs = [...before, { at: start, style: this.style }]
    if (stop < this.text.length) this.runs.push({ at: stop, style: after }, ...behind)
    this.runs = merged(this.runs)
  }

  private paintEnd(start: number): void {
    const last = this.runs.at(-1)?.style ?? PLAIN
    if (!sameStyle(last, this.style)) this.runs.push({ at: start, style: this.style })
  }

  private styleAt(column: number): Style {
    return this.runs.findLast((run) => run.at <= column)?.style ?? PLAIN
  }
}

function merged(runs: Run[]): Run[] {
  return runs.filter((run, at) => !sameStyle(run.style, runs[at - 1]?.style ?? PLAIN))
}
