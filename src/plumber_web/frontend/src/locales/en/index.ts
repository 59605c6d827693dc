/**
 * Texts of this language: one file for each part of the page, its name is the first part of the key.
 *
 * What only the pages of a task say is apart, in `tasks.ts`: the first page is small.
 */
const files = import.meta.glob<{ default: object }>(['./*.json', '!./builder.json', '!./editor.json'], { eager: true })

export const messages = Object.fromEntries(
  Object.entries(files).map(([path, file]) => [path.slice(2, -5), file.default]),
)
