import { OnScalekitEvent, type ScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';

// Nothing here may compile. TypeScript reports an @ts-expect-error without an error, too.

export class MistakenHandlers {
  // @ts-expect-error a misspelled event type
  @OnScalekitEvent('user.craeted')
  misspelled(): void {}

  // @ts-expect-error a parameter of another event type
  @OnScalekitEvent('user.created')
  otherEvent(_event: ScalekitEvent<'organization.created'>): void {}

  // @ts-expect-error a second parameter that is not a delivery
  @OnScalekitEvent('user.created')
  otherDelivery(_event: ScalekitEvent<'user.created'>, _attempt: number): void {}

  @OnScalekitEvent('user.created')
  unknownField(event: ScalekitEvent<'user.created'>): unknown {
    // @ts-expect-error a field that the event does not have
    return event.data.directory_type;
  }
}

// @ts-expect-error an option that does not exist
ScalekitWebhooksModule.forRoot({ secret: '' });

// @ts-expect-error a field of the wrong type
createScalekitEvent('user.created', { data: { user: { email: 1 } } });
