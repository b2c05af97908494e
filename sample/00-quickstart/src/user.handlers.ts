import { Injectable } from '@nestjs/common';
import { OnScalekitEvent, type ScalekitDelivery, type ScalekitEvent } from 'nestjs-scalekit-webhooks';

@Injectable()
export class UserHandlers {
  readonly welcomed: string[] = [];

  @OnScalekitEvent('user.created')
  welcome(event: ScalekitEvent<'user.created'>, delivery: ScalekitDelivery): void {
    const { user, organization } = event.data;
    this.welcomed.push(
      `${user?.id} in ${organization?.id ?? 'no organization'} (attempt ${delivery.attempt})`,
    );
  }
}
