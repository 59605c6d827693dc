/** How busy a host is, as the page shows it. */
import type { Agent } from './useFleet'

export const WIDTH = 64
const HIGH = 0.9

export interface Bar {
  name: 'cpu' | 'memory'
  width: number
  high: boolean
}

export function bars(agent: Pick<Agent, 'load' | 'memory'>): Bar[] {
  const values = [['cpu', agent.load] as const, ['memory', agent.memory] as const]
  return values.flatMap(([name, value]) =>
    typeof value === 'number' ? [{ name, width: Math.round(Math.min(1, Math.max(0, value)) * WIDTH), high: value >= HIGH }] : [],
  )
}

export const percent = (value: number | null | undefined): string => (typeof value === 'number' ? `${Math.round(value * 100)} %` : '—')
