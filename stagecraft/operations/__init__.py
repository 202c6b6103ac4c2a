"""Operations that pyinfra lacks, or that need our guarantees: checked and atomic."""
