import { schemeCompliance } from '../../payment/compliance.ts';
import { brokeredWorld } from '../brokered-world.fixture.ts';
import { whopay } from './index.ts';

schemeCompliance('whopay', () => brokeredWorld({ scheme: whopay }));
