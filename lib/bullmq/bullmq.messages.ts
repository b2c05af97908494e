/** Texts for people: what happened, then what to do. None holds a secret or a payload. */
export const MESSAGES = {
  queueFailed: 'The queue reported an error',
  endpointGone: (endpoint: string) =>
    `This process has no endpoint "${endpoint}", which the job is for. Add the endpoint to every worker of the queue, then retry the jobs that have failed.`,
  jobUnreadable: (name: string, message: string) =>
    `The job's event cannot be read (${name}: ${message}). Replay the event from the inbox.`,
  jobPutBack: (reason: string) => `A job goes back to the queue. ${reason}`,
  jobGivenUp: (reason: string) => `No process could run the job for an hour. ${reason}`,
} as const;
