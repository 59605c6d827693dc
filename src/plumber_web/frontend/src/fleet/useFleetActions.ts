/** The dialogs of the fleet: which one is open, over which agents. */
import { shallowRef, type ShallowRef } from 'vue'
import { FINAL, useDecrees, type Decree } from './useDecrees'
import type { Agent } from './useFleet'
import type { Schemas } from '@/api/client'
import { useAction } from '@/api/useAction'

export interface Pending {
  decree: Decree
  agents: Agent[]
}
export interface FleetActions {
  pending: ShallowRef<Pending | null>
  labelling: ShallowRef<Agent[]>
  file: ShallowRef<Schemas['AgentConfig'] | null>
  decree: (decree: Decree, agents: Agent[]) => Promise<void>
  confirm: () => Promise<void>
  drop: () => void
  labels: (agents: Agent[]) => void
  labelled: () => void
  rotate: (agent: Agent) => Promise<void>
}

export function useFleetActions(changed: () => void): FleetActions {
  const carryOut = useDecrees(changed)
  const rotation = useAction('agent.rotate')
  const pending = shallowRef<Pending | null>(null)
  const labelling = shallowRef<Agent[]>([])
  const file = shallowRef<Schemas['AgentConfig'] | null>(null)

  async function decree(wanted: Decree, agents: Agent[]): Promise<void> {
    if (FINAL.has(wanted)) pending.value = { decree: wanted, agents }
    else await carryOut(wanted, agents)
  }

  async function confirm(): Promise<void> {
    const { decree: wanted, agents } = pending.value ?? { decree: 'drain' as const, agents: [] }
    pending.value = null
    await carryOut(wanted, agents)
  }

  function labelled(): void {
    labelling.value = []
    changed()
  }

  async function rotate(agent: Agent): Promise<void> {
    file.value = (await rotation.run({ agent: agent.id })) ?? null
  }

  return { pending, labelling, file, decree, confirm, drop: () => (pending.value = null), labels: (agents) => (labelling.value = agents), labelled, rotate }
}
