import { Injectable } from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
} from 'nestjs-scalekit-webhooks';
import { Mailer } from './mailer.js';

@Injectable()
export class MailHandlers {
  constructor(private readonly mailer: Mailer) {}

  @OnScalekitEvent('user.created', { attempts: 3, backoff: { type: 'exponential', delayMs: 500 } })
  async welcome(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): Promise<void> {
    const to = event.data.user?.email;
    if (!to) throw new NonRetryableEventError('the user has no email address');
    await this.mailer.send({ to, subject: 'Welcome', idempotencyKey: delivery.idempotencyKey });
  }
}
