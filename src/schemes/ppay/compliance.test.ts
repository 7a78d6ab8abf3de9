import { schemeCompliance } from '../../payment/compliance.ts';
import { brokeredWorld } from '../brokered-world.fixture.ts';
import { ppay } from './index.ts';

schemeCompliance('ppay', () => brokeredWorld({ scheme: ppay }));
schemeCompliance('ppay with layered coins', () => brokeredWorld({ scheme: ppay, variant: 'layered' }));
