let handled = 0;

/** What every receiver does for an event. */
export async function handleEvent(_event: object): Promise<void> {
  handled += 1;
}

/** How many events the receiver of this process has handled. */
export function handledEvents(): number {
  return handled;
}
