/** A new task: runs as it stands, and shows where things go. */
export const skeleton = (name: string, step: string): string => `name: ${JSON.stringify(name)}
on: all
steps:
  - name: ${JSON.stringify(step)}
    run: |
      echo "hello from $PLUMBER_AGENT_NAME"
`
