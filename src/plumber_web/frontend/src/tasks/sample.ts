/** The first task of a new installation. It only prints. */
export const sample = (description: string): string => `name: hello
description: ${JSON.stringify(description)}
on: all
steps:
  - name: greet
    run: echo "hello from $PLUMBER_AGENT_NAME"
`
