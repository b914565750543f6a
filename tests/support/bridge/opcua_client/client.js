// An OPC UA client that knows OPC 40100-1 and nothing of this program: browse by type, subscribe at
// the Server object, stop, start, fetch results, change the recipe. Prints what it saw as JSON.
"use strict";
const {
  AttributeIds, ClientSubscription, DataType, MessageSecurityMode, OPCUAClient, SecurityPolicy,
  TimestampsToReturn, Variant, VariantArrayType, constructEventFilter, makeBrowsePath, resolveNodeId,
} = require("node-opcua-client");

const [url, recipe] = process.argv.slice(2);
const URI = "http://opcfoundation.org/UA/MachineVision";
const TYPES = {
  VisionSystemType: 1003, StateChangedEventType: 1018, RecipePreparedEventType: 1022,
  ResultReadyEventType: 1024, RecipeIdExternalDataType: 3002, RecipeIdInternalDataType: 3013,
  MeasIdDataType: 3015, JobIdDataType: 3016, ResultIdDataType: 3021,
};

async function until(what, due) {
  for (const end = Date.now() + 15000; Date.now() < end;) {
    const found = await due();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`never seen: ${what}`);
}

const plain = (value) => value === null || value === undefined ? null
  : Array.isArray(value) ? value.map(plain)
  : value instanceof Date ? value.toISOString()
  : value.value !== undefined && value.dataType !== undefined ? plain(value.value)
  : value.text !== undefined && value.schema === undefined ? value.text : value;

async function main() {
  const client = OPCUAClient.create({
    endpointMustExist: false, securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None, connectionStrategy: { maxRetry: 100, initialDelay: 100, maxDelay: 200 },
  });
  await client.connect(url);
  const session = await client.createSession();
  const space = (await session.readNamespaceArray()).indexOf(URI);
  const type = (name) => resolveNodeId(`ns=${space};i=${TYPES[name]}`);
  const seen = { servers: (await session.readVariableValue("i=2254")).value.value };

  const objects = (await session.browse("ObjectsFolder")).references;
  const system = objects.find((one) => `${one.typeDefinition}` === `${type("VisionSystemType")}`);
  seen.system = system.browseName.name;
  const at = async (...path) => {
    const text = path.map((name) => `/${name.includes(":") ? name : `${space}:${name}`}`).join("");
    const found = await session.translateBrowsePath(makeBrowsePath(system.nodeId, text));
    return found.targets[0].targetId;
  };
  const state = async (...path) => {
    const read = await session.read({ nodeId: await at(...path, "0:CurrentState"), attributeId: AttributeIds.Value });
    return read.statusCode.isGood() ? read.value.value.text : read.statusCode.name;
  };
  const vision = ["VisionStateMachine"];
  const automatic = [...vision, "AutomaticModeStateMachine"];
  await until("ContinuousExecution", async () => await state(...automatic) === "ContinuousExecution");
  seen.state = await state(...vision);
  seen.stateId = `${(await session.readVariableValue(await at(...vision, "0:CurrentState", "0:Id"))).value.value}`;

  const events = { ResultReadyEventType: [], StateChangedEventType: [], RecipePreparedEventType: [] };
  const q = (name) => `${space}:${name}`;
  const fields = {
    ResultReadyEventType: ["ResultId", "ResultState", "JobId", "MeasId", "PartId", "InternalRecipeId",
      "IsSimulated", "CreationTime", "ResultContent"].map(q),
    StateChangedEventType: ["Transition", "FromState", "ToState", "ToState.Id"],
    RecipePreparedEventType: ["ExternalId", "InternalId"].map(q),
  };
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: 20, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 10,
    publishingEnabled: true,
  });
  for (const [name, list] of Object.entries(events)) {
    const filter = constructEventFilter(["EventType", ...fields[name]]);
    const item = await subscription.monitor(
      { nodeId: "i=2253", attributeId: AttributeIds.EventNotifier },
      { filter, queueSize: 1000, discardOldest: true, samplingInterval: 0 }, TimestampsToReturn.Both);
    item.on("changed", (values) => {
      if (`${values[0].value}` !== `${type(name)}`) return;
      list.push(Object.fromEntries(fields[name].map((field, i) => [field.split(":").pop(), plain(values[i + 1])])));
    });
  }

  const structure = async (name, id) => new Variant({
    dataType: DataType.ExtensionObject,
    value: id === null ? null : await session.constructExtensionObject(type(name), { id }),
  });
  const int = (value) => new Variant({ dataType: DataType.Int32, value });
  const uint = (value) => new Variant({ dataType: DataType.UInt32, value });
  const text = (value) => new Variant({ dataType: DataType.String, value });
  const none = new Variant({ dataType: DataType.Null });
  const call = async (path, method, ...inputArguments) => {
    const answer = await session.call({ objectId: await at(...path), methodId: await at(...path, method), inputArguments });
    return { status: answer.statusCode.name, out: (answer.outputArguments || []).map(plain) };
  };
  const start = [await structure("MeasIdDataType", "shift-7"), none, none, none, none];

  seen.startedTwice = await call(automatic, "StartContinuous", ...start);
  seen.wrongType = await call(automatic, "StartContinuous", text("shift-7"), none, none, none, none);
  seen.stop = await call(automatic, "Stop", int(1), text("lens is cleaned"));
  await until("Ready", async () => await state(...automatic) === "Ready");
  seen.start = await call(automatic, "StartContinuous", ...start);
  await until("ContinuousExecution", async () => await state(...automatic) === "ContinuousExecution");
  const job = seen.start.out[0].id;
  const mine = () => events.ResultReadyEventType.filter((one) => one.JobId.id === job);
  await until("results", () => mine().length > 4);
  seen.results = mine().slice(0, 5);

  const results = ["ResultManagement"];
  const first = seen.results[0].ResultId.id;
  const id = await structure("ResultIdDataType", first);
  seen.byId = await call(results, "GetResultById", id, int(1000));
  seen.components = await call(results, "GetResultComponentsById", id, int(1000));
  seen.unknown = await call(results, "GetResultById", await structure("ResultIdDataType", "none"), int(1000));
  seen.list = await call(results, "GetResultListFiltered", int(0), await structure("MeasIdDataType", "shift-7"),
    none, none, none, none, none, none, none, uint(3), uint(0), int(1000));

  const recipes = ["RecipeManagement"];
  const all = [none, none, int(2), uint(0), uint(0), int(1000)];
  seen.recipes = await call(recipes, "GetRecipeListFiltered", ...all);
  const external = await structure("RecipeIdExternalDataType", recipe);
  seen.prepare = await call(recipes, "PrepareRecipe", external, none);
  await until("RecipePrepared", () => events.RecipePreparedEventType.length);
  seen.prepared = events.RecipePreparedEventType;
  seen.preparedRecipes = await call(recipes, "GetRecipeListFiltered", none, none, int(1), uint(0), uint(0), int(1000));
  seen.unprepare = await call(recipes, "UnprepareRecipe", external, none);

  seen.halt = await call(vision, "Halt", int(0), text(""));
  seen.halted = [await state(...vision), await state(...automatic)];
  seen.reset = await call(vision, "Reset", int(0), text(""));
  await until("the last transition", () => events.StateChangedEventType.some(
    (one) => one.Transition.text === "ReadyToContinuousExecutionAuto"));
  seen.transitions = events.StateChangedEventType.map((one) => one.Transition);
  await subscription.terminate();
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify(seen));
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
