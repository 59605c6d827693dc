/** The texts that only the pages of a task need. */
import builder from './builder.json'
import editor from './editor.json'

export const messages = { builder, editor }
