/** Labels as people write them: `key=value`, one a line or separated by commas or spaces. */
export type Labels = Record<string, string>

/** Return the labels, or the first part that is none. */
export function parseLabels(text: string): { labels: Labels } | { wrong: string } {
  const labels: Labels = {}
  for (const part of text.split(/[\s,]+/).filter(Boolean)) {
    const place = part.indexOf('=')
    if (place < 1 || place === part.length - 1) return { wrong: part }
    labels[part.slice(0, place)] = part.slice(place + 1)
  }
  return { labels }
}

export function writeLabels(labels: Labels | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')
}

/** Return the labels that all have with one value. */
export function commonLabels(all: readonly (Labels | undefined)[]): Labels {
  const [first, ...rest] = all
  return Object.fromEntries(Object.entries(first ?? {}).filter(([key, value]) => rest.every((labels) => labels?.[key] === value)))
}

/** Apply an edit of what was common to one agent's labels: the rest of them stays. */
export function editLabels(labels: Labels | undefined, before: Labels, after: Labels): Labels {
  const kept = Object.entries(labels ?? {}).filter(([key]) => !(key in before))
  return { ...Object.fromEntries(kept), ...after }
}
