/** Try again what failed, each time a little later, until it works or nobody is there any more. */
const FIRST = 1000
const LAST = 30_000

export interface Retries {
  /** Run this later; one at a time waits. */
  later: (run: () => void) => void
  /** It worked: the next failure waits shortly again. */
  worked: () => void
}

export function retries(signal: AbortSignal): Retries {
  let wait = FIRST
  let timer: ReturnType<typeof setTimeout> | undefined
  signal.addEventListener('abort', () => clearTimeout(timer))
  return {
    later: (run) => {
      if (signal.aborted || timer !== undefined) return
      timer = setTimeout(() => {
        timer = undefined
        run()
      }, wait)
      wait = Math.min(2 * wait, LAST)
    },
    worked: () => {
      clearTimeout(timer)
      timer = undefined
      wait = FIRST
    },
  }
}
