/** Errors cross the API as codes with arguments; `useErrors` turns them into sentences. */
export interface ProblemBody {
  code: string
  arguments: Record<string, unknown>
  detail: string
  hint: string
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: ProblemBody,
  ) {
    super(problem.detail || problem.code)
  }

  get code(): string {
    return this.problem.code
  }
}

const UNKNOWN: ProblemBody = { code: 'unexpected', arguments: {}, detail: '', hint: '' }

/** Read what a refusal says; an answer that is none of ours becomes `unexpected`. */
export async function problemOf(response: Response): Promise<ProblemBody> {
  try {
    const body = (await response.json()) as Partial<ProblemBody>
    return typeof body.code === 'string' ? { ...UNKNOWN, ...body } : UNKNOWN
  } catch {
    return UNKNOWN
  }
}
