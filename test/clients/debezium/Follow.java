import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.FileReader;
import java.io.PrintStream;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;

/** Runs Debezium's engine with the properties of a file, and prints each change event as a line. It ends when it is killed. */
public class Follow {
  public static void main(String[] arguments) throws Exception {
    Properties properties = new Properties();
    try (FileReader reader = new FileReader(arguments[0])) {
      properties.load(reader);
    }
    PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, "UTF-8");
    AtomicReference<Throwable> failure = new AtomicReference<>();
    DebeziumEngine<ChangeEvent<String, String>> engine = DebeziumEngine.create(Json.class).using(properties)
        .notifying((events, committer) -> {
          for (ChangeEvent<String, String> event : events) {
            out.print("{\"topic\":\"" + event.destination() + "\",\"key\":" + event.key() + ",\"value\":" + event.value() + "}\n");
            out.flush(); // before the engine stores the offset: a line may come twice, and none is left out
            committer.markProcessed(event);
          }
          committer.markBatchFinished();
        })
        .using((success, message, error) -> {
          System.err.println(message);
          failure.set(error != null ? error : new IllegalStateException(message));
        })
        .build();
    engine.run();
    throw new IllegalStateException("the engine ended", failure.get());
  }
}
