/** The line that adds a server. */

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** Says whether the address in it means the machine itself, wherever the line is pasted. */
export function isLoopback(line: string): boolean {
  const address = /https?:\/\/[^/\s']+/.exec(line)?.[0]
  return address !== undefined && URL.canParse(address) && LOOPBACK.test(new URL(address).hostname)
}
