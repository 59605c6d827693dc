/** Dates, durations and sizes in the chosen language. */
import { useI18n } from 'vue-i18n'

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

export interface Format {
  duration: (seconds: number | null | undefined) => string
  ago: (time: string | null | undefined, now: number) => string
  moment: (time: string) => string
  bytes: (count: number) => string
  count: (value: number) => string
}

export function useFormat(): Format {
  const { t, locale } = useI18n()

  function duration(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined) return '—'
    if (seconds < 10) return t('time.seconds', { n: Math.max(0, seconds).toFixed(1) })
    const whole = Math.round(seconds)
    if (whole < 60) return t('time.seconds', { n: whole })
    if (whole < 3600) return t('time.minutes', { m: Math.floor(whole / 60), s: whole % 60 })
    if (whole < 86_400) return t('time.hours', { h: Math.floor(whole / 3600), m: Math.floor((whole % 3600) / 60) })
    return t('time.days', { d: Math.floor(whole / 86_400), h: Math.floor((whole % 86_400) / 3600) })
  }

  function ago(time: string | null | undefined, now: number): string {
    if (!time) return t('time.never')
    const seconds = (Date.parse(time) - now) / 1000
    const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1]
    if (unit === 'second' && Math.abs(seconds) < 5) return t('time.now')
    const said = new Intl.RelativeTimeFormat(locale.value, { style: 'short' }).format(Math.round(seconds / size), unit)
    return said.replace(/(\d)(?=\p{Script=Han})/u, '$1 ')
  }

  function moment(time: string): string {
    return new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'long' }).format(new Date(time))
  }

  function bytes(count: number): string {
    const power = count < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(count) / 10))
    const unit = ['byte', 'kilobyte', 'megabyte', 'gigabyte'][power]
    const style = { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: power > 1 ? 1 : 0 } as const
    return new Intl.NumberFormat(locale.value, style).format(count / 1024 ** power)
  }

  return { duration, ago, moment, bytes, count: (value) => new Intl.NumberFormat(locale.value).format(value) }
}
