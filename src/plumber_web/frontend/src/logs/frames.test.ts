import { describe, expect, it } from 'vitest'
import { FrameDecoder, MAX_FRAME, STDERR, STDOUT, decodeFrames, newlines } from './frames'
import { encode } from './testing'

describe('frames', () => {
  it('are decoded with stream, time and bytes', () => {
    const { frames, used } = decodeFrames(encode([STDOUT, 'one\n', 5], [STDERR, 'é', 4_000_000_000]))
    expect(frames.map(({ stream, ms, data }) => [stream, ms, new TextDecoder().decode(data)])).toEqual([
      [STDOUT, 5, 'one\n'],
      [STDERR, 4_000_000_000, 'é'],
    ])
    expect(used).toBe(9 + 4 + 9 + 2)
    expect(newlines(frames)).toBe(1)
  })

  it('cut anywhere wait for their rest', () => {
    const bytes = encode([STDOUT, 'abc'], [STDERR, ''], [STDOUT, 'de\n'])
    for (let cut = 0; cut <= bytes.length; cut++) {
      const decoder = new FrameDecoder()
      const frames = [...decoder.push(bytes.slice(0, cut).buffer), ...decoder.push(bytes.slice(cut))]
      expect(frames.map((frame) => new TextDecoder().decode(frame.data))).toEqual(['abc', '', 'de\n'])
      expect(decoder.waiting).toBe(0)
    }
  })

  it('that no frame can be are refused', () => {
    const long = encode([STDOUT, ''])
    new DataView(long.buffer).setUint32(5, MAX_FRAME + 1)
    expect(() => decodeFrames(long)).toThrow(RangeError)
    expect(() => decodeFrames(new Uint8Array(9))).toThrow('not a frame at 0')
  })
})
