/** Hits of a search within a line's stretches of one look. */
import type { Span } from '@/logs/ansi'

export interface Stretch extends Span {
  hit: boolean
}

/** Hits beyond these are not marked in one line. */
const MOST_HITS = 500
/** What a line says that reports an error; the server and the page read it alike. */
export const ERRORS = String.raw`\b(error|errors|fatal|exception|traceback|panic|failed|failure)\b`

/** Return what finds the query in a line, or null for nothing or for what is no regular expression. */
export function patternOf(query: string, regex: boolean): RegExp | null {
  if (!query) return null
  try {
    return new RegExp(regex ? query : query.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`), 'gi')
  } catch {
    return null
  }
}

/** Cut stretches where hits begin and end. */
export function marked(spans: readonly Span[], pattern: RegExp | null): Stretch[] {
  const text = spans.map((span) => span.text).join('')
  const hits = pattern ? hitsIn(text, pattern) : []
  if (!hits.length) return spans.map((span) => ({ ...span, hit: false }))
  const edges = hits.flat()
  const out: Stretch[] = []
  let start = 0
  for (const { text: part, classes } of spans) {
    const stop = start + part.length
    const cuts = [start, ...edges.filter((edge) => edge > start && edge < stop), stop]
    for (let at = 1; at < cuts.length; at++) {
      const [from, to] = [cuts[at - 1]!, cuts[at]!]
      if (from < to) out.push({ text: text.slice(from, to), classes, hit: hits.some(([first, end]) => first <= from && to <= end) })
    }
    start = stop
  }
  return out
}

function hitsIn(text: string, pattern: RegExp): [number, number][] {
  const hits: [number, number][] = []
  for (const match of text.matchAll(pattern)) {
    if (match[0]) hits.push([match.index, match.index + match[0].length])
    if (hits.length >= MOST_HITS) break
  }
  return hits
}
