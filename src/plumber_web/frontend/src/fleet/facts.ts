/** What an agent tells of its server, in the order in which people ask. */
const ORDER = ['refuses', 'hostname', 'ip', 'os', 'distribution', 'kernel', 'arch', 'cpus', 'memory', 'user', 'python']

/** Return pairs of a fact and its value; parts of one fact are joined, and those nobody knows here come last. */
export function factsOf(told: Readonly<Record<string, string>>): [string, string][] {
  const { distro, distro_version: version, ...rest } = told
  const distribution = [distro, version].filter(Boolean).join(' ')
  const facts = Object.entries(distribution ? { distribution, ...rest } : rest).filter(([, value]) => value !== '')
  const rank = (fact: string): number => (ORDER.includes(fact) ? ORDER.indexOf(fact) : ORDER.length)
  return facts.sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b))
}
