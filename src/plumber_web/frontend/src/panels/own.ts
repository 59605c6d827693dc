/** What a panel may ask of the page that it stands on. */
import { address, call } from '@/api/client'

/** What the page shows: a name or an id, by its noun. */
export type Shown = Partial<Record<'task' | 'execution' | 'agent', string>>

export interface PanelContext extends Shown {
  slot: string
  language: string
  call: typeof call
}

/** What a script module of a plugin exports. */
export interface PanelModule {
  mount?: (element: HTMLElement, context: PanelContext) => unknown
}

/** Return a plugin's address with what the page shows; never one of another server. */
export function ownAddress(url: string, shown: Shown): string {
  const whole = new URL(address(`/${url}`))
  if (whole.origin !== location.origin) throw new Error(`${url} is not of this server`)
  for (const [noun, value] of Object.entries(shown)) whole.searchParams.set(noun, value)
  return whole.toString()
}
