import { schemeCompliance } from '../../payment/compliance.ts';
import { brokeredWorld } from '../brokered-world.fixture.ts';
import { cpay } from './index.ts';

for (const variant of cpay.variants)
  schemeCompliance(`cpay, ${variant}`, () => brokeredWorld({ scheme: cpay, variant }));
