import type { ScalekitEventsClient } from 'nestjs-scalekit-webhooks/recovery';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';

type Time = { readonly seconds: bigint; readonly nanos: number } | undefined;

/** An Events API that makes its events, evenly over a window, when it is asked for them: only the reader needs memory. */
export function apiWith(count: number, window: { readonly from: number; readonly until: number }) {
  const stepMs = (window.until - window.from) / count;
  const sample = createScalekitEvent('user.created', { display_name: 'x'.repeat(2000) });
  const indexAt = (time: Time) =>
    (Number(time?.seconds) * 1000 + Number(time?.nanos) / 1_000_000 - window.from) / stepMs;
  const client: ScalekitEventsClient = {
    events: {
      async listEventsPaginated(size = 100, token = '', { startTime, endTime } = {}) {
        const newest = Math.min(count, Math.ceil(indexAt(endTime))) - 1;
        const oldest = Math.max(0, Math.ceil(indexAt(startTime)));
        const first = token === '' ? newest : Number(token);
        const length = Math.max(0, Math.min(size, first - oldest + 1));
        const events = Array.from({ length }, (_, offset) => ({
          ...structuredClone(sample),
          id: `evt_${first - offset}`,
          occurred_at: new Date(window.from + (first - offset) * stepMs).toISOString(),
        }));
        const next = first - length;
        return { events, nextPageToken: next >= oldest ? String(next) : '' };
      },
    },
  };
  return client;
}
