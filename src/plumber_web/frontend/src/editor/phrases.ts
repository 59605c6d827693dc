/** What CodeMirror itself says, in the chosen language. */
const PHRASES = {
  Find: 'find', Replace: 'replace', next: 'next', previous: 'previous', all: 'all', 'match case': 'case', regexp: 'regexp', 'by word': 'word',
  replace: 'replaceOne', 'replace all': 'replaceAll', close: 'close', 'Go to line': 'line', go: 'go', 'Diagnostics': 'diagnostics', 'No diagnostics': 'noDiagnostics',
  'Fold line': 'fold', 'Unfold line': 'unfold', 'folded code': 'folded', unfold: 'unfolded', to: 'to', 'Control character': 'control',
} as const

export function phrases(t: (key: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(PHRASES).map(([english, key]) => [english, t(`editor.phrases.${key}`)]))
}
