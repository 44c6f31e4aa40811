# 05 why it failed
from buildctl import Context, SolveError
from buildctl.sync import connect
with connect() as client:
    try:
        client.build(Context.files({"Dockerfile": "FROM busybox\nRUN echo no luck; exit 3\n"}))
    except SolveError as error:
        print(error.step.exit_code, error.step.log.decode())        # 3 no luck
        print(error.report())
