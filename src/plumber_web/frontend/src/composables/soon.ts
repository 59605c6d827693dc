/** Join many calls into one, `wait` milliseconds after the first of them. */
export function soon(run: () => void, wait: number): { ask: () => void; drop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    ask: () => {
      timer ??= setTimeout(() => {
        timer = undefined
        run()
      }, wait)
    },
    drop: () => {
      clearTimeout(timer)
      timer = undefined
    },
  }
}
