import { create } from '@bufbuild/protobuf';
import * as events from '@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/events/events_pb.js';

// The SDK is CommonJS, and the test runner finds only some of its names.
const { EventsService, ObjectType, ScalekitEventSchema } =
  'default' in events ? (events.default as typeof events) : events;

export { EventsService, ObjectType, ScalekitEventSchema };

interface WebhookEvent {
  readonly id?: string;
  readonly type?: string;
  readonly spec_version?: string;
  readonly environment_id?: string;
  readonly organization_id?: string;
  readonly occurred_at?: string;
  readonly object?: keyof typeof ObjectType;
  readonly display_name?: string;
  readonly data?: object;
}

/** An event in the form in which the SDK returns it, from the payload of a webhook. */
export function apiEventOf(payload: object) {
  const event: WebhookEvent = payload;
  const time = event.occurred_at ?? '';
  const [, decimals = ''] = /\.(\d+)/.exec(time) ?? [];
  return create(ScalekitEventSchema, {
    id: event.id,
    type: event.type,
    specVersion: event.spec_version,
    environmentId: event.environment_id,
    ...(event.organization_id !== undefined && { organizationId: event.organization_id }),
    occurredAt: {
      seconds: BigInt(Math.floor(Date.parse(time) / 1000)),
      nanos: Number(decimals.padEnd(9, '0')),
    },
    object: event.object === undefined ? 0 : ObjectType[event.object],
    data: JSON.parse(JSON.stringify(event.data ?? {})),
    displayName: event.display_name,
  });
}
