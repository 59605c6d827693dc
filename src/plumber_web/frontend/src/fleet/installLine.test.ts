import { describe, expect, it } from 'vitest'
import { isLoopback } from './installLine'

const line = (url: string): string => `curl -fsSL ${url}/install.sh | PLUMBER_ENROLL_TOKEN=plm_enroll_x sh -s ${url}`

describe('isLoopback', () => {
  it.each(['http://127.0.0.1:52281', 'http://localhost', 'https://127.1.2.3/ops', "'http://[::1]:8080'"])('knows %s', (url) => {
    expect(isLoopback(line(url))).toBe(true)
  })

  it.each(['https://plumber.example', 'http://10.0.0.1:52281', 'http://127.0.0.1.example', "'http://[2001:db8::1]'", ''])('leaves %s', (url) => {
    expect(isLoopback(line(url))).toBe(false)
  })
})
