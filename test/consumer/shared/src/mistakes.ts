import { OnScalekitEvent, type ScalekitEvent, ScalekitWebhooksModule } from 'nestjs-scalekit-webhooks';
import { createScalekitEvent } from 'nestjs-scalekit-webhooks/testing';

// Nothing here compiles: an expectation that is not met is an error as well.

export class MistakenHandlers {
  // @ts-expect-error a misspelt event
  @OnScalekitEvent('user.craeted')
  misspelt(): void {}

  // @ts-expect-error a parameter for another event
  @OnScalekitEvent('user.created')
  otherEvent(_event: ScalekitEvent<'organization.created'>): void {}

  // @ts-expect-error a second parameter that no delivery fits
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
