/** Tells when the server answers again after it did not: it may be a newer one. */
const listeners = new Set<() => void>()
let away = false

/** Note that the server answered, or that it did not. */
export function noteAnswer(answers: boolean): void {
  const back = answers && away
  away = !answers
  if (back) for (const run of [...listeners]) run()
}

/** Returns what ends it. */
export function whenBack(run: () => void): () => void {
  listeners.add(run)
  return () => void listeners.delete(run)
}
