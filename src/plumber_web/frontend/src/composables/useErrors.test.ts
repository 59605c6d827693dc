import { mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it } from 'vitest'
import { defineComponent, h } from 'vue'
import { createI18n } from 'vue-i18n'
import { useErrors } from './useErrors'
import { ApiError } from '@/api/errors'
import { messages as en } from '@/locales/en'
import { messages as zh } from '@/locales/zh-CN'

function explained(locale: 'en' | 'zh-CN', code: string, args: Record<string, unknown>): string {
  let told = ''
  const Speaker = defineComponent({
    setup() {
      told = useErrors().explain(new ApiError(400, { code, arguments: args, detail: 'as the server says it', hint: '' }))
      return () => h('p')
    },
  })
  const i18n = createI18n({ legacy: false, locale, fallbackLocale: 'en', messages: { en, 'zh-CN': zh } as never })
  mount(Speaker, { global: { plugins: [i18n] } })
  return told
}

const because = { code: 'between', arguments: { least: 1, most: 1000 } }
const reason = 'it must be from 1 to 1000'

describe('an error with a reason', () => {
  beforeEach(() => setActivePinia(createPinia()))

  it('is said in the language of the page', () => {
    expect(explained('en', 'invalid_request', { field: 'slots', reason, because })).toBe('slots: it must be from 1 to 1000.')
    expect(explained('zh-CN', 'invalid_request', { field: 'slots', reason, because })).toBe('slots：须在 1 到 1000 之间。')
  })

  it('says states as the rest of the page does', () => {
    const args = { code: 'agent_state', arguments: { name: 'web-1', state: 'revoked', wanted: 'active' } }
    const told = explained('zh-CN', 'conflict', { reason: 'agent web-1 is revoked and cannot become active', because: args })
    expect(told).toBe('节点 web-1 的状态是 已吊销，不能变为 启用。')
  })

  it('says what stands inside of a sentence in that language too', () => {
    const phrases = { unit: { code: 'unit_bytes', arguments: {} } }
    const told = explained('zh-CN', 'too_large', { field: 'body', actual: 9, limit: 8, unit: 'bytes', phrases })
    expect(told).toBe('body 太大：9 字节，最多 8。')
    const target = { code: 'target_end', arguments: { column: 6, expected: { code: 'expect_text', arguments: {} } } }
    expect(explained('zh-CN', 'invalid_request', { field: 'on', reason: 'x', because: target })).toBe('on：第 6 列：应为 文本，却已结束。')
  })

  it('that this page does not know stays as the server said it', () => {
    const args = { reason: 'the moon is full', because: { code: 'moon', arguments: {} } }
    expect(explained('zh-CN', 'conflict', args)).toContain('the moon is full')
    expect(explained('zh-CN', 'conflict', { reason: 'the moon is full' })).toContain('the moon is full')
    expect(explained('zh-CN', 'conflict', { reason: 'the moon is full', because: 'because' })).toContain('the moon is full')
  })

  it('names what there is none of in that language too', () => {
    expect(explained('zh-CN', 'not_found', { kind: 'step execution', name: 'x', nearest: null })).toBe('没有这个步骤执行：x。')
    expect(explained('zh-CN', 'not_found', { kind: 'moon', name: 'x', nearest: null })).toBe('没有这个moon：x。')
  })

  it('of an unknown code is the sentence of the server', () => {
    expect(explained('zh-CN', 'nonsense', {})).toBe('as the server says it')
  })
})
