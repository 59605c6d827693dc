/** Groups of a step execution's states, as the server's transition table has them. */
export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'timed_out', 'cancelled', 'rejected', 'expired', 'skipped', 'lost'])
export const BAD: ReadonlySet<string> = new Set(['failed', 'timed_out', 'rejected', 'expired', 'lost'])
export const BUSY: ReadonlySet<string> = new Set(['claimed', 'running', 'cancelling', 'unreachable'])
