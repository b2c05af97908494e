import { Injectable } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitDelivery, type ScalekitEvent } from 'nestjs-scalekit-webhooks';

@Injectable()
export class AuditHandlers {
  readonly trail: string[] = [];
  readonly alerts: string[] = [];

  @OnScalekitEvent('*')
  record(event: ScalekitEvent, delivery: ScalekitDelivery): void {
    this.trail.push(`${delivery.endpoint}: ${event.type}`);
  }

  @OnScalekitEvent(['role.*', 'permission.*'], { endpoint: 'live' })
  alert(event: ScalekitEvent<'role.*' | 'permission.*'>): void {
    this.alerts.push(event.type);
  }
}
