/** Which build of the page a document is: its entry script's name holds the hash of all that it leads to. */
export function buildOf(page: Pick<Document, 'querySelector'>): string {
  return page.querySelector('script[type=module][src]')?.getAttribute('src')?.split('/').at(-1) ?? ''
}

/** Whether the page that the server serves now, as text, is another build than this document. Never for lack of news. */
export function isOther(served: string, own: string): boolean {
  const build = buildOf(new DOMParser().parseFromString(served, 'text/html'))
  return build !== '' && own !== '' && build !== own
}
