/** Facets: what the agents of a list have in common, with counts, and which of them match a choice. */
import type { Schemas } from '@/api/client'

type Agent = Schemas['AgentView']
export interface Filter {
  search: string
  /** Chosen values by facet; an empty list chooses all. */
  chosen: Record<string, string[]>
}
export interface Facet {
  name: string
  /** True for names that are labels of people: they are shown as written. */
  label: boolean
  values: { value: string; count: number }[]
}

const MOST_LABELS = 6

/** Return a value of an agent by facet: `state`, `presence`, `os`, `version`, or `label:KEY`. */
export function valueOf(agent: Agent, facet: string): string | undefined {
  if (facet === 'presence') return agent.presence
  if (facet === 'state') return agent.state
  if (facet === 'version') return agent.version || undefined
  if (facet.startsWith('label:')) return agent.labels?.[facet.slice(6)]
  return agent.facts?.[facet]
}

export function facetsOf(agents: readonly Agent[]): Facet[] {
  const keys = new Set(agents.flatMap((agent) => Object.keys(agent.labels ?? {})))
  const labels = [...keys].sort().slice(0, MOST_LABELS)
  const names = ['presence', 'state', ...labels.map((key) => `label:${key}`), 'os', 'version']
  return names
    .map((name) => ({ name, label: name.startsWith('label:'), values: valuesOf(agents, name) }))
    .filter((facet) => facet.values.length > (facet.label ? 0 : 1) || facet.name === 'presence')
}

function valuesOf(agents: readonly Agent[], facet: string): Facet['values'] {
  const counts = new Map<string, number>()
  for (const agent of agents) {
    const value = valueOf(agent, facet)
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1)
  }
  return [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count)
}

export function matches(agent: Agent, filter: Filter): boolean {
  const wanted = filter.search.trim().toLowerCase()
  const text = [agent.name, agent.id, agent.facts?.hostname, ...Object.entries(agent.labels ?? {}).map((pair) => pair.join('='))]
  if (wanted && !text.some((part) => part?.toLowerCase().includes(wanted))) return false
  return Object.entries(filter.chosen).every(([facet, values]) => values.length === 0 || values.includes(valueOf(agent, facet) ?? ''))
}
