import { suite } from "./suite.mjs";

suite("solidstart");
