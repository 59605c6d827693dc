/** The small part of JSON Schema that executors' parameters need, as fields of a form. */
export type FieldKind = 'line' | 'text' | 'integer' | 'number' | 'boolean' | 'enum' | 'list' | 'map' | 'yaml'
export interface SchemaField {
  name: string
  kind: FieldKind
  required: boolean
  description: string
  choices: string[]
  default?: unknown
}

type Schema = Record<string, unknown>
/** Names under which people write more than a line. */
const LONG = /^(script|run|body|text|message|content|template|query)$/

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Follow a reference within the schema, and look through "or null". */
function resolved(schema: Schema, root: Schema): Schema {
  if (typeof schema.$ref === 'string' && schema.$ref.startsWith('#/$defs/')) {
    const found = (root.$defs as Record<string, Schema> | undefined)?.[schema.$ref.slice(8)]
    return found ? { ...resolved(found, root), ...omit(schema, '$ref') } : schema
  }
  const some = (Array.isArray(schema.anyOf) ? (schema.anyOf as Schema[]) : []).filter((one) => one.type !== 'null')
  return some.length === 1 ? { ...resolved(some[0]!, root), ...omit(schema, 'anyOf') } : schema
}

function omit(schema: Schema, key: string): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key))
}

function kindOf(name: string, schema: Schema): FieldKind {
  if (Array.isArray(schema.enum) && schema.enum.every((one) => typeof one === 'string')) return 'enum'
  if (schema.type === 'string') return LONG.test(name) || schema.format === 'multi-line' ? 'text' : 'line'
  if (schema.type === 'integer' || schema.type === 'number' || schema.type === 'boolean') return schema.type
  if (schema.type === 'array' && isSchema(schema.items) && schema.items.type === 'string') return 'list'
  const values = schema.additionalProperties
  if (schema.type === 'object' && !schema.properties && isSchema(values) && isText(values)) return 'map'
  return 'yaml'
}

const isText = (schema: Schema): boolean => schema.type === 'string' || (Array.isArray(schema.type) && schema.type.includes('string'))

/** Return the fields of an object's schema, the required ones first. */
export function fieldsOf(schema: Schema): SchemaField[] {
  const required = Array.isArray(schema.required) ? (schema.required as string[]) : []
  const fields = Object.entries((schema.properties ?? {}) as Record<string, Schema>).map(([name, written]) => {
    const one = resolved(written, schema)
    return {
      name,
      kind: kindOf(name, one),
      required: required.includes(name),
      description: typeof one.description === 'string' ? one.description : '',
      choices: Array.isArray(one.enum) ? (one.enum as string[]) : [],
      default: one.default ?? undefined,
    }
  })
  return [...fields.filter((one) => one.required), ...fields.filter((one) => !one.required)]
}

/** Return whether a field's control can show a value: an expression or another type needs the field for YAML. */
export function fits(field: SchemaField, value: unknown): boolean {
  if (value === undefined || value === null) return true
  if (field.kind === 'boolean') return typeof value === 'boolean'
  if (field.kind === 'enum') return field.choices.includes(value as string)
  if (field.kind === 'list') return Array.isArray(value) && value.every((one) => typeof one === 'string')
  if (field.kind === 'map') return isSchema(value) && Object.values(value).every((one) => typeof one !== 'object')
  return field.kind === 'yaml' || typeof value !== 'object'
}

/** Return what a typed-in text means for a field; undefined takes the parameter away. */
export function fromText(kind: FieldKind, text: string): unknown {
  if (text === '') return undefined
  const number = Number(text)
  if (kind === 'integer' && /^-?\d+$/.test(text.trim()) && Number.isSafeInteger(number)) return number
  if (kind === 'number' && text.trim() !== '' && Number.isFinite(number)) return number
  return text
}
