/** An attempt's output as text, up to some of it. */
import type { Request } from '@/logs/load'
import { sanitize } from '@/logs/sanitize'

export interface Output {
  lines: string[]
  /** There is more of it. */
  cut: boolean
}

/** Read about as many characters as `most`, without what only a terminal means. */
export async function outputOf(request: Request, attempt: string, most: number, signal?: AbortSignal): Promise<Output> {
  const response = await request(`/logs/${encodeURIComponent(attempt)}?format=text`, { signal })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  let cut = false
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    cut = text.length >= most
    if (cut) break
    text += piece.value
  }
  void reader.cancel()
  return { lines: text.split('\n').map(sanitize), cut }
}
