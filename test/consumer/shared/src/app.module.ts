import { Injectable, Module } from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';

@Injectable()
export class Greetings {
  readonly sent: string[] = [];

  send(email: string): void {
    this.sent.push(email);
  }
}

@Injectable()
export class UserHandlers {
  constructor(private readonly greetings: Greetings) {}

  @OnScalekitEvent('user.created')
  async welcome(event: ScalekitEvent<'user.created'>): Promise<void> {
    this.greetings.send(event.data.user?.email ?? '');
  }

  @OnScalekitEvent(['organization.*', 'user.deleted'])
  refuse(event: ScalekitEvent<'organization.*' | 'user.deleted'>, delivery: ScalekitDelivery): void {
    throw new NonRetryableEventError(`${event.type} in ${delivery.id}`);
  }
}

@Module({
  imports: [
    ScalekitWebhooksModule.forRoot({
      signingSecret: `whsec_${Buffer.from('a made-up secret for this test..').toString('base64')}`,
    }),
  ],
  providers: [Greetings, UserHandlers],
})
export class AppModule {}
