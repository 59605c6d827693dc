/** All texts of this language: one file for each part of the page, its name is the first part of the key. */
const files = import.meta.glob<{ default: object }>('./*.json', { eager: true })

export const messages = Object.fromEntries(
  Object.entries(files).map(([path, file]) => [path.slice(2, -5), file.default]),
)
