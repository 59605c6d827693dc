/** What the palette offers, and how well it fits what was typed. */
export interface Entry {
  id: string
  group: string
  text: string
  hint?: string
  run: () => void
}

/** Return how well a text fits (0: not at all): a prefix beats a word's start, that beats letters in order. */
export function score(text: string, typed: string): number {
  const wanted = typed.trim().toLowerCase()
  const lower = text.toLowerCase()
  if (!wanted) return 1
  if (lower.startsWith(wanted)) return 100
  const place = lower.indexOf(wanted)
  if (place >= 0) return /[\s\-_.]/.test(lower[place - 1] ?? '') ? 80 : 60
  return isSubsequence(lower, wanted) ? 20 : 0
}

function isSubsequence(text: string, wanted: string): boolean {
  let place = 0
  for (const letter of text) if (letter === wanted[place]) place += 1
  return place === wanted.length
}

/** Return the entries that fit, the best first, in the order given where they fit alike. */
export function rank(entries: readonly Entry[], typed: string, most = 40): Entry[] {
  return entries
    .map((entry, index) => ({ entry, index, fit: score(entry.text, typed) }))
    .filter((one) => one.fit > 0)
    .sort((a, b) => b.fit - a.fit || a.index - b.index)
    .slice(0, most)
    .map((one) => one.entry)
}
