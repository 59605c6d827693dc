/** Groups of hosts whose outputs are equal. */
import type { Schemas } from '@/api/client'

export type OutputGroup = Schemas['OutputGroup']

/** Return the group of the most hosts that has an output to compare with. */
export function majority(groups: readonly OutputGroup[]): OutputGroup | undefined {
  return groups.filter(({ attempt, digest }) => attempt && digest).reduce<OutputGroup | undefined>((best, group) => (best && best.hosts.length >= group.hosts.length ? best : group), undefined)
}

/** Return what tells a group from the others, whatever its place. */
export function keyOf(group: OutputGroup): string {
  return [group.state, group.exit_code ?? '', group.error ?? '', group.digest].join('/')
}

/** Return the sample's host: the sources tell which host an attempt is of. */
export function sampleHost(group: OutputGroup, sources: readonly Schemas['LogSource'][]): string | undefined {
  return sources.find(({ attempt }) => attempt === group.attempt)?.host ?? group.hosts[0]
}

export interface FoundGroup {
  group: OutputGroup
  /** Its hosts whose names contain what is looked for. */
  hosts: string[]
}

/** Return the groups with hosts whose names contain `text`, whatever the case. */
export function withHost(groups: readonly OutputGroup[], names: Readonly<Record<string, string>>, text: string): FoundGroup[] {
  const wanted = text.trim().toLowerCase()
  const found = groups.map((group) => ({ group, hosts: wanted ? group.hosts.filter((id) => (names[id] ?? id).toLowerCase().includes(wanted)) : group.hosts }))
  return found.filter(({ hosts }) => hosts.length > 0)
}

/** Return the groups with only these hosts, null: all; those with none of them are left out. */
export function restricted(groups: readonly OutputGroup[], hosts: readonly string[] | null): OutputGroup[] {
  if (!hosts) return [...groups]
  const wanted = new Set(hosts)
  return groups.map((group) => ({ ...group, hosts: group.hosts.filter((id) => wanted.has(id)) })).filter((group) => group.hosts.length > 0)
}
