/** What can be done with what has ended badly. Nothing here knows Vue. */
import type { Schemas } from '@/api/client'
import { BAD } from './states'

export type Preview = Schemas['ResumePreview']
/** What a resume asks for: `hosts` null takes all, `step` '' begins at the failed one. */
export interface Wish {
  what: 'rest' | 'failed'
  step: string
  revision: 'old' | 'new'
  hosts: readonly string[] | null
}

/** Only what has failed or was cancelled goes on. */
export const resumable = (state: string): boolean => state === 'failed' || state === 'cancelled'

/** A step that somebody may take in hand on its host: it has ended, and not well. */
export const stuck = (state: string, byHand: string | null | undefined): boolean => !byHand && (BAD.has(state) || state === 'cancelled' || state === 'skipped')

/** The same wish as the operation takes it. */
export function askedFor(wish: Wish): { what: Wish['what']; revision: Wish['revision']; hosts?: string[]; from_step?: string } {
  return { what: wish.what, revision: wish.revision, ...(wish.hosts ? { hosts: [...wish.hosts] } : {}), ...(wish.step ? { from_step: wish.step } : {}) }
}

/** Hosts whose commands may still run: nobody knows how they ended. */
export const unknownHosts = (preview: Preview): string[] => preview.hosts.filter((host) => host.unknown > 0).map((host) => host.name)

/** The lines of a unified diff with the sign that each begins with. */
export function diffRows(diff: string): { sign: '+' | '-' | ' '; text: string }[] {
  const lines = diff.split('\n').filter((line, at, all) => !(line === '' && at === all.length - 1))
  return lines.filter((line) => !/^(---|\+\+\+) /.test(line)).map((line) => ({ sign: line.startsWith('+') ? '+' : line.startsWith('-') ? '-' : ' ', text: line }))
}
